// Opens a report in headless Chromium from file://, clicks through it in light and dark, and lets axe-core judge how
// accessible it is. Any error of the page, any request to the network and any serious finding is a failure.
//
//   (cd ci/page && npm install)
//   node ci/page/check.mjs build/release/report/report.html [DIRECTORY FOR SCREENSHOTS]
//
// KNETSIM_CHROMIUM names the browser, /usr/bin/chromium if it isn't set.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [page_file, screenshots] = process.argv.slice(2);
if (!page_file) {
  console.error('usage: node check.mjs REPORT.html [DIRECTORY FOR SCREENSHOTS]');
  process.exit(2);
}
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({
  executablePath: process.env.KNETSIM_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const shoot = async (page, name) => {
  if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
};

const judge = async (page, when) => {
  // Through the browser's own door: the page's policy lets no other script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, impact, help, nodes } of violations) console.log(`axe (${when}): ${impact}: ${id}: ${help}: ${nodes[0].html.slice(0, 120)}`);
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(grave.map(({ id }) => id), [], `serious findings (${when})`);
};

const clickThrough = async (page) => {
  for (const link of await page.locator('nav a').all()) await link.click();

  const filter = page.locator('#words');
  const row = page.locator('details.suite tbody tr').first();
  if (await filter.isVisible()) {
    await filter.fill('nothing is called like this');
    assert.match(await page.locator('#found').textContent(), /^0 of \d+ tests$/);
    assert.equal(await row.isVisible(), false);
    await filter.fill('');
    const boxes = page.locator('[name=outcome]');
    await boxes.first().uncheck();
    assert.match(await page.locator('#found').textContent(), /^\d+ of \d+ tests$/);
    await boxes.first().check();
    assert.equal(await page.locator('#found').textContent(), '');
  }

  const viewer = page.locator('.evidence').first();
  if (await viewer.count()) {
    const tabs = viewer.locator('.tabs button');
    const last = tabs.last();
    await last.click();
    assert.equal(await last.getAttribute('aria-pressed'), 'true');
    const sides = viewer.locator('select');
    const names = await sides.first().locator('option').allTextContents();
    await sides.first().selectOption(names.at(-1));
    await sides.last().selectOption(names.at(-1));
    assert.equal(await viewer.locator('tr.other, tr.count').count(), 0, 'a node differs from itself');
    assert.ok(await viewer.locator('td').count() > 0, 'the viewer shows nothing');
  }

  const download = page.locator('a[download][href^="data:"]').first();
  if (await download.count()) {
    const [file] = await Promise.all([page.waitForEvent('download'), download.click()]);
    assert.match(file.suggestedFilename(), /\.pcapng$/);
    // The magic number of a section header block, in either byte order.
    assert.equal(fs.readFileSync(await file.path()).readUInt32LE(0), 0x0a0d0d0a);
  }
};

try {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 900 } });
    page.on('pageerror', (error) => { throw error; });
    page.on('console', (message) => { if (message.type() === 'error') throw new Error(message.text()); });
    page.on('request', (request) => { assert.match(request.url(), /^(file|data|blob):/, 'the page asks the network'); });
    await page.goto(pathToFileURL(path.resolve(page_file)).href, { timeout: 120_000 });
    await judge(page, colorScheme);
    await shoot(page, colorScheme);
    await clickThrough(page);
    await page.locator('#theme').click();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme === 'dark' ? 'light' : 'dark');
    await judge(page, `${colorScheme}, switched`);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a narrow page scrolls sideways');
    await shoot(page, `narrow-${colorScheme}`);
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(`${page_file}: clicked through, no serious finding`);
