#include "evidence.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "knetsim/sys/base64.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"

namespace knetsim::report::html {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kLongestFile = 48 * 1024;

std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory, absent)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// The interesting end of a log is its last one, of everything else the first.
std::string excerpt(const fs::path& file) {
  auto text = read_file(file);
  if (text.size() > kLongestFile && file.extension() == ".log")
    text =
        fmt::format("... ({} earlier bytes)\n", text.size() - kLongestFile) + text.substr(text.size() - kLongestFile);
  return clean(text, kLongestFile + 64);
}

using Files = std::map<std::string, std::string>;

Files read_node(const fs::path& directory, EvidenceBudget& budget, std::size_t& left_out) {
  Files files;
  for (const auto& file : sorted_entries(directory)) {
    // A link could lead anywhere.
    if (!fs::is_regular_file(fs::symlink_status(file))) continue;
    auto text = excerpt(file);
    if (text.empty()) continue;
    if (text.size() > budget.texts) {
      ++left_out;
      continue;
    }
    budget.texts -= text.size();
    files[file.filename().string()] = std::move(text);
  }
  return files;
}

/// JSON that can stand inside a script element.
std::string inside_script(const Json& json) {
  std::string result;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  }
  return result;
}

/// Lines without what tells one node from another.
std::set<std::string> lines_without_numbers(std::string_view text) {
  std::set<std::string> lines;
  std::string line;
  std::string word;
  bool numbered = false;
  const auto end_word = [&] {
    line += numbered ? "*" : word;
    word.clear();
    numbered = false;
  };
  for (const char c : text) {
    const bool in_word = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                         std::string_view(".:/-_@").find(c) != std::string_view::npos;
    if (in_word) {
      word += c;
      numbered = numbered || std::isdigit(static_cast<unsigned char>(c)) != 0;
      continue;
    }
    end_word();
    if (c == '\n')
      lines.insert(std::exchange(line, {}));
    else
      line += c;
  }
  end_word();
  if (!line.empty()) lines.insert(line);
  return lines;
}

/// What nodes learn from traffic, and what they write about it, is never the same on two of them.
bool always_differs(const std::string& file) {
  return !file.ends_with(".txt") || file == "connections.txt" || file == "neighbours.txt";
}

void write_capture(Out& out, const fs::path& file, const fs::path& link, EvidenceBudget& budget) {
  std::error_code absent;
  const auto size = fs::file_size(file, absent);
  if (absent || !fs::is_regular_file(fs::symlink_status(file))) return;
  const auto name = escape_html(file.filename().string());
  if (size > budget.captures) {
    out.add(
        "<p class=download><a href=\"{}\" download>{}</a>: the packets of the last seconds ({:.1f} MB, beside this "
        "page)</p>\n",
        escape_html(link.string()), name, static_cast<double>(size) / 1e6);
    return;
  }
  budget.captures -= size;
  out.add("<p class=download><a class=button download=\"{}\" href=\"data:application/octet-stream;base64,", name);
  out.raw(base64_encode(read_file(file)));
  out.add("\">Download {}</a>: the packets of the last seconds, for Wireshark</p>\n", name);
}

}  // namespace

std::string most_different(const Files& left, const Files& right) {
  std::string most;
  std::size_t most_lines = 0;
  for (const auto& [file, text] : left) {
    const auto other = right.find(file);
    if (always_differs(file) || other == right.end()) continue;
    const auto ours = lines_without_numbers(text);
    const auto theirs = lines_without_numbers(other->second);
    std::vector<std::string> differing;
    std::set_symmetric_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                                  std::back_inserter(differing));
    if (differing.size() <= most_lines) continue;
    most = file;
    most_lines = differing.size();
  }
  if (!most.empty()) return most;
  if (left.contains("routes.txt")) return "routes.txt";
  return left.empty() ? "" : left.begin()->first;
}

void write_evidence(Out& out, const fs::path& directory, const TestResult& test, const std::string& id,
                    const std::pair<std::string, std::string>& first, EvidenceBudget& budget) {
  out.add("<h5>Evidence</h5>\n<p>In <code>{}</code></p>\n", escape_html(test.evidence));
  std::map<std::string, Files> nodes;
  std::size_t left_out = 0;
  for (const auto& node : sorted_entries(directory / "evidence"))
    if (fs::is_directory(fs::symlink_status(node))) {
      auto files = read_node(node, budget, left_out);
      if (!files.empty()) nodes[node.filename().string()] = std::move(files);
    }
  if (left_out > 0)
    out.add("<p>{} left out, so that this page stays small.</p>\n",
            count_of(left_out, "file") + (left_out == 1 ? " is" : " are"));
  if (!nodes.empty()) {
    const auto left = nodes.contains(first.first) ? first.first : nodes.begin()->first;
    const auto right = nodes.contains(first.second) ? first.second : nodes.rbegin()->first;
    out.add(
        "<div class=evidence data-left=\"{}\" data-right=\"{}\" data-file=\"{}\" data-of={}></div>\n<script "
        "type=application/json id={}-evidence>",
        escape_html(left), escape_html(right), escape_html(most_different(nodes[left], nodes[right])), id, id);
    out.raw(inside_script(nodes)).raw("</script>\n");
  }
  for (const auto& file : sorted_entries(directory))
    if (file.extension() == ".pcapng" || file.extension() == ".pcap")
      write_capture(out, file, fs::path(test.evidence) / file.filename(), budget);
}

}  // namespace knetsim::report::html
