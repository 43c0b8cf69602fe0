# The headers of other projects that nearly every file parses, compiled once for all layers and once for all test programs:
# they take most of a small file's compile time.
set(KNETSIM_COMMON_HEADERS
  <algorithm> <array> <atomic> <chrono> <cstdint> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional>
  <set> <span> <sstream> <string> <string_view> <thread> <utility> <variant> <vector> <boost/asio/ip/address.hpp>
  <boost/asio/ip/network_v4.hpp> <boost/asio/ip/network_v6.hpp> <fmt/format.h> <nlohmann/json.hpp>)

function(knetsim_precompiled name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp" CONTENT "// Only its precompiled header is used.\n")
  add_library(${name} STATIC "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp")
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  target_link_libraries(${name} PRIVATE
    knetsim_settings knetsim_boost fmt::fmt nlohmann_json::nlohmann_json ${arg_LINK})
endfunction()

# Tests needn't be fast, they need to be there soon.
add_library(knetsim_test_settings INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR KNETSIM_SANITIZE)
  target_compile_options(knetsim_test_settings INTERFACE -O0)
endif()

knetsim_precompiled(knetsim_pch HEADERS ${KNETSIM_COMMON_HEADERS})
knetsim_precompiled(knetsim_test_pch HEADERS ${KNETSIM_COMMON_HEADERS} <gmock/gmock.h> <gtest/gtest.h>
  LINK knetsim_test_settings GTest::gmock GTest::gtest)

# knetsim_precompile(TARGET): a library of this project, none of which is a test's. Where files are built one by one, each has
# to include what it uses, and goes without. So does a library in which GCC 12 takes inlined code of a precompiled standard
# header for ours and warns of it (the API server's).
function(knetsim_precompile target)
  if(CMAKE_UNITY_BUILD)
    target_precompile_headers(${target} REUSE_FROM knetsim_pch)
  endif()
endfunction()
