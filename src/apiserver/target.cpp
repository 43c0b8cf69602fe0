#include "target.h"

#include "knetsim/apiserver/query.h"
#include "knetsim/kube/status.h"

namespace knetsim::apiserver {

std::optional<std::vector<std::string>> path_words(std::string_view path) {
  std::vector<std::string> words;
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const auto end = std::min(path.find('/'), path.size());
    auto word = percent_decoded(path.substr(0, end), false);
    if (!word || word->find('/') != std::string::npos || word->find('\0') != std::string::npos) return std::nullopt;
    words.push_back(*std::move(word));
    path.remove_prefix(end);
  }
  return words;
}

Target target_of(std::string_view group, std::string_view version, std::vector<std::string> words) {
  Target target;
  if (words.size() > 1 && words.front() == "watch") {
    target.watch = true;
    words.erase(words.begin());
  }
  // namespaces/<name>/<resource>, unless the third word is a subresource of the namespace itself.
  if (words.size() > 2 && words.front() == "namespaces" && group.empty()) {
    const auto* const kind = kube::find(group, version, words[2]);
    if (kind != nullptr && kind->namespaced) {
      target.ns = words[1];
      words.erase(words.begin(), words.begin() + 2);
    }
  } else if (words.size() > 2 && words.front() == "namespaces") {
    target.ns = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.empty() || words.size() > 3) throw kube::resource_not_found();
  target.kind = kube::find(group, version, words.front());
  if (target.kind == nullptr || (!target.kind->namespaced && !target.ns.empty())) throw kube::resource_not_found();
  if (words.size() > 1) target.name = std::move(words[1]);
  if (words.size() > 2) target.subresource = std::move(words[2]);
  // A name without the namespace that it is in.
  if (target.kind->namespaced && !target.name.empty() && target.ns.empty()) throw kube::resource_not_found();
  if (!target.subresource.empty() && target.kind->subresource(target.subresource) == nullptr)
    throw kube::resource_not_found();
  return target;
}

}  // namespace knetsim::apiserver
