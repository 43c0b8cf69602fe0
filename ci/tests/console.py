"""Documents whose console blocks show what is typed and what comes: read, typed into a real lab, and compared.

A line that begins with a prompt is typed: `$ ` or `# ` (root) in a shell, `knetsim> ` or a node's shell in the lab that the
last `$ knetsim up` has started. The lines below it are what comes; `…` stands for the rest of a word or a line, `⋮` for lines.
"""

import os
import pty
import re
import select
import subprocess
import time

PROMPT = "knetsim> "
SHELL = "C0w1:~# "  # of a shell on a node; an ordinary user's ends in "$ "
BUDGET = 60


def console_blocks(text):
    return re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands_in(block):
    """(command with its prompt, lines that it shows)..."""
    commands = []
    for line in block.splitlines():
        if line.startswith((PROMPT, SHELL, "$ ", "# ")):
            commands.append((line, []))
        else:
            commands[-1][1].append(line)
    return commands


def pattern_of(lines):
    """Blanks may be more in the output, where a table is as wide as its cells."""
    def of_line(line):
        escaped = "[^\n]*".join(re.escape(part) for part in line.split("…"))
        return re.sub(r"(\\ )+", " *", escaped) + " *\n"
    body = "".join("(?:[^\n]*\n)*?" if line == "⋮" else of_line(line) for line in lines)
    return re.compile(r"\A\s*" + body + r"\s*\Z")


class Lab:
    """`knetsim up` on a terminal."""

    def __init__(self, command, environment):
        self.master, program_side = pty.openpty()
        self.process = subprocess.Popen(command, stdin=program_side, stdout=program_side, stderr=program_side,
                                        start_new_session=True, env={**environment, "TERM": "dumb", "NO_COLOR": "1"})
        os.close(program_side)
        self.unread = ""

    def until(self, *endings):
        """What comes up to and with the first of these, and which it was."""
        deadline = time.monotonic() + BUDGET
        while not any(ending in self.unread for ending in endings):
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            data = b""
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    pass  # the program has ended
            if not data:
                raise AssertionError(f"{endings!r} didn't come; instead:\n{self.unread}")
            self.unread += data.decode(errors="replace").replace("\r", "")
        end, ending = min((self.unread.index(ending) + len(ending), ending) for ending in endings if ending in self.unread)
        text, self.unread = self.unread[:end], self.unread[end:]
        return text.removesuffix(ending)

    def until_prompt(self):
        return self.until(PROMPT, SHELL, SHELL.replace("#", "$"))

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")
        self.until("\n")

    def close(self):
        os.close(self.master)
        self.process.kill()
        self.process.wait()


class Session:
    """Types the commands of documents. `outside` is put before each command of a shell (chroot, for instance)."""

    def __init__(self, environment, outside=()):
        self.environment = environment
        self.outside = list(outside)
        self.lab = None

    def type(self, command, shown):
        """Types it and compares. AssertionError tells what came instead."""
        if command.startswith("$ knetsim up") and "--detach" not in command:
            self.close()
            self.lab = Lab([*self.outside, *command.split()[1:]], self.environment)
            output = self.lab.until_prompt()
        elif command.startswith(("$ ", "# ")):
            output = self.run_outside(command[2:])
        else:
            output = self.run_at_the_prompt(command, shown)
        output += "\n" * (not output.endswith("\n"))
        if not pattern_of(shown).search(output):
            raise AssertionError(f"{command}\nshows instead of\n{chr(10).join(shown)}\nthis:\n{output}")

    def run_outside(self, command):
        ran = subprocess.run([*self.outside, *command.split()], capture_output=True, text=True, timeout=10 * BUDGET,
                             check=False, stdin=subprocess.DEVNULL, env=self.environment)
        if ran.returncode != 0:
            raise AssertionError(f"{command} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def run_at_the_prompt(self, command, shown):
        self.lab.type(command.removeprefix(PROMPT).removeprefix(SHELL))
        output = ""
        if "^C" in shown:
            # What comes before it in the document has come before the key is pressed here.
            before = shown[shown.index("^C") - 1].split("…")[0]
            output = self.lab.until(before) + before
            os.write(self.lab.master, b"\x03")
        if command == PROMPT + "exit":
            if (code := self.lab.process.wait(timeout=BUDGET)) != 0:
                raise AssertionError(f"exit ended with {code}")
            return ""
        return output + self.lab.until_prompt()

    def close(self):
        if self.lab is not None:
            self.lab.close()
            self.lab = None
