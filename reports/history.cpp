#include "history.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "text.h"

namespace knetsim::report {

namespace fs = std::filesystem;
namespace json = simdjson::ondemand;

namespace {

constexpr std::string_view kHistorySchema = "knetsim.history/1";

/// 2026-11-23T01:02:03Z -> 20261123T010203Z: no colon, for file systems and artefact stores that can't have any.
std::string file_name(const std::string& started) {
  std::string name;
  for (const char c : started)
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')) name += c;
  return name + ".jsonl";
}

InputError bad_line(const fs::path& file, std::size_t line, const std::string& why) {
  return InputError(describe({.where = fmt::format("{}:{}", file.string(), line),
                              .tried = "use this line of the history",
                              .answer = why,
                              .remedy = "this night is left out; delete the file if it can't be mended"}));
}

/// A million lines are read for one report, so the nights are read by simdjson, into few bytes for each line.
class NightReader {
 public:
  explicit NightReader(History& history) : history_(history) {}

  void read(const fs::path& file) {
    const simdjson::padded_string text(read_file(file));
    auto documents = parser_.iterate_many(text, std::max<std::size_t>(text.size(), 64) + 64);
    if (documents.error() != simdjson::SUCCESS) throw bad_line(file, 1, simdjson::error_message(documents.error()));
    names_.clear();
    cells_.clear();
    figures_.clear();
    std::size_t line = 0;
    Night night;
    try {
      for (auto document : documents.value_unsafe()) {
        ++line;
        json::object object = document.get_object();
        if (line == 1)
          night = first_line_of(object, file);
        else
          take(object, file, line);
      }
    } catch (const simdjson::simdjson_error& error) {
      throw bad_line(file, line, error.what());
    }
    if (line == 0) throw bad_line(file, 1, "the file is empty");
    if (documents.value_unsafe().truncated_bytes() > 0) throw bad_line(file, line + 1, "the line is cut off");
    keep(std::move(night));
  }

 private:
  static Night first_line_of(json::object& object, const fs::path& file) {
    const std::string_view schema = object["schema"];
    if (schema != kHistorySchema)
      throw bad_line(
          file, 1,
          fmt::format("its schema is \"{}\", and this knetsim-report reads \"{}\"", clean(schema, 80), kHistorySchema));
    Night night;
    night.started = std::string_view(object["started"]);
    night.commit = std::string_view(object["commit"]);
    night.green = std::string_view(object["verdict"]) == "green";
    double covered = 0;
    if (object["covered"].get_double().get(covered) == simdjson::SUCCESS) night.covered = covered;
    return night;
  }

  void take(json::object& object, const fs::path& file, std::size_t line) {
    std::string_view name;
    if (object["test"].get(name) == simdjson::SUCCESS) {
      names_.emplace_back(name);
      const std::string_view word = object["outcome"];
      const auto outcome = outcome_of(word);
      if (!outcome) throw bad_line(file, line, fmt::format("the outcome \"{}\" is unknown", clean(word, 80)));
      cells_.push_back({night_index(), *outcome, static_cast<float>(double(object["seconds"]))});
    } else {
      const std::string_view figure = object["figure"];
      names_.emplace_back(figure);
      const double value = object["value"];
      figures_.push_back({names_.size() - 1, std::string(std::string_view(object["unit"])), value});
      cells_.push_back({night_index(), Outcome::missing, 0});
    }
  }

  std::uint32_t night_index() const { return static_cast<std::uint32_t>(history_.nights.size()); }

  /// Only whole files count: nothing of a broken one is kept.
  void keep(Night night) {
    const auto index = night_index();
    auto figure = figures_.begin();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (figure != figures_.end() && figure->name == i) {
        auto& known = history_.figures[names_[i]];
        known.unit = figure->unit;
        known.values.emplace_back(index, figure->value);
        ++figure;
        continue;
      }
      auto& cells = test(names_[i]);
      if (cells.empty() || cells.back().night != index) cells.push_back(cells_[i]);
    }
    history_.nights.push_back(std::move(night));
  }

  /// As history_.tests[name]: a map's nodes stay where they are, and hashing finds them sooner.
  std::vector<Cell>& test(const std::string& name) {
    auto& known = by_name_[name];
    if (known == nullptr) known = &history_.tests[name];
    return *known;
  }

  struct FigureLine {
    std::size_t name;
    std::string unit;
    double value;
  };

  History& history_;
  json::parser parser_;
  std::unordered_map<std::string, std::vector<Cell>*> by_name_;
  std::vector<std::string> names_;
  std::vector<Cell> cells_;
  std::vector<FigureLine> figures_;
};

}  // namespace

History read_history(const fs::path& directory, const std::string& before) {
  History history;
  if (!fs::exists(directory)) return history;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".jsonl" && entry.path().filename().string() < file_name(before))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.size() > kNights) files.erase(files.begin(), files.end() - static_cast<std::ptrdiff_t>(kNights));
  NightReader reader(history);
  for (const auto& file : files) try {
      reader.read(file);
    } catch (const Error& error) {
      history.problems.emplace_back(error.what());
    }
  return history;
}

void append_night(const fs::path& directory, const RunResult& run, bool green) {
  using OrderedJson = nlohmann::ordered_json;
  std::string text;
  const auto line = [&](const OrderedJson& object) {
    text += object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  };
  OrderedJson head{{"schema", kHistorySchema},
                   {"started", run.started},
                   {"commit", run.fact("commit")},
                   {"kernel", run.fact("kernel")},
                   {"verdict", green ? "green" : "red"}};
  if (const auto covered = run.covered()) head["covered"] = *covered;
  line(head);
  for (const auto& test : run.tests)
    line({{"test", test.name}, {"outcome", to_string(test.outcome)}, {"seconds", test.seconds}});
  for (const auto& figure : run.figures)
    line({{"figure", figure.name}, {"unit", figure.unit}, {"value", figure.value}});
  make_directories(directory);
  write_file_atomically(directory / file_name(run.started), text);
}

}  // namespace knetsim::report
