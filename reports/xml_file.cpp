#include "xml_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "text.h"

namespace knetsim::report {

pugi::xml_document read_xml(const std::filesystem::path& file, std::string_view root) {
  const auto text = read_file(file);
  pugi::xml_document document;
  const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) {
    const auto end = text.begin() + std::min<std::ptrdiff_t>(parsed.offset, static_cast<std::ptrdiff_t>(text.size()));
    throw InputError(describe({.where = fmt::format("{}:{}", file.string(), 1 + std::count(text.begin(), end, '\n')),
                               .tried = "read XML",
                               .answer = text.empty() ? "the file is empty" : parsed.description(),
                               .remedy = "whoever wrote it died while writing; run it again"}));
  }
  const std::string_view found = document.document_element().name();
  if (found != root)
    throw InputError(describe({.where = file.string(),
                               .tried = fmt::format("find <{}>", root),
                               .answer = fmt::format("the root element is <{}>", clean(found, 80)),
                               .remedy = "this is another format, or one of another version"}));
  return document;
}

}  // namespace knetsim::report
