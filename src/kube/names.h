#pragma once

#include <string>
#include <string_view>

namespace knetsim::kube {

// What is wrong with a name, in the words of k8s.io/apimachinery/pkg/util/validation; empty if nothing is.

std::string dns1123_label_problem(std::string_view name);
std::string dns1123_subdomain_problem(std::string_view name);
std::string dns1035_label_problem(std::string_view name);
/// "app.kubernetes.io/name": of labels and annotations.
std::string qualified_name_problem(std::string_view name);
std::string label_value_problem(std::string_view value);
/// Of a container's port (RFC 6335).
std::string port_name_problem(std::string_view name);
/// Of an environment variable.
std::string config_key_problem(std::string_view key);

}  // namespace knetsim::kube
