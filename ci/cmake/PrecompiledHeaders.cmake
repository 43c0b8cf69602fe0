# The headers of other projects that nearly every test parses, compiled once for all test programs: they take most of a
# small test file's compile time. Layers go without: with optimization, GCC 12 takes inlined code of a precompiled
# standard header for ours and warns of it.
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp" CONTENT "// Only its precompiled header is used.\n")
add_library(knetsim_test_pch STATIC "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp")
target_precompile_headers(knetsim_test_pch PRIVATE
  <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string> <string_view> <utility> <variant>
  <vector> <boost/asio/ip/address.hpp> <boost/asio/ip/network_v4.hpp> <boost/asio/ip/network_v6.hpp> <fmt/format.h>
  <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp>)

# Tests needn't be fast, they need to be there soon.
add_library(knetsim_test_settings INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR KNETSIM_SANITIZE)
  target_compile_options(knetsim_test_settings INTERFACE -O0)
endif()
target_link_libraries(knetsim_test_pch PRIVATE
  knetsim_settings knetsim_test_settings knetsim_boost fmt::fmt nlohmann_json::nlohmann_json GTest::gmock GTest::gtest)
