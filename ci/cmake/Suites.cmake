# knetsim_suite(PROGRAM [NO_SANDBOX] SOURCES <file>... [DEPENDS <target>...] LABELS <label>... [TIMEOUT <seconds>]
#               [STORMS <regex>] [LONG <regex>])
#
# A GoogleTest program whose main enters the sandbox, registered test by test with CTest. The list is taken from the
# program when ctest starts (DiscoverTests.cmake says why gtest_discover_tests isn't used).
# NO_SANDBOX: GoogleTest's own main, for tests that look at the sandbox from outside. They must never skip.
# STORMS: tests of such names run alone. Networks that are killed by the dozen make the kernel hold its lock for seconds,
# and what is timed beside them waits (docs/limitations.md).
# LONG: tests of such names are for the night (label long): more rows of what the day's run proves with one.
function(knetsim_suite program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_SANDBOX" "TIMEOUT;STORMS;LONG" "SOURCES;DEPENDS;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${program} ${arg_SOURCES})
  if(arg_NO_SANDBOX)
    set(main GTest::gmock_main)
  else()
    set(main knetsim_test_main)
  endif()
  target_link_libraries(${program} PRIVATE ${arg_DEPENDS} ${main} knetsim_settings knetsim_test_settings)
  target_precompile_headers(${program} REUSE_FROM knetsim_test_pch)
  # Those that look at this build, and not at a network, aren't installed.
  if(program MATCHES "^suite-" AND NOT "robustness" IN_LIST arg_LABELS)
    set_property(GLOBAL APPEND PROPERTY KNETSIM_SUITES ${program})
  endif()
  set(list "${CMAKE_CURRENT_BINARY_DIR}/${program}.ctest.cmake")
  file(CONFIGURE OUTPUT "${list}" @ONLY CONTENT [[
set(program "@PROJECT_BINARY_DIR@/bin/@program@")
set(labels "@arg_LABELS@")
set(timeout "@arg_TIMEOUT@")
set(storms "@arg_STORMS@")
set(long "@arg_LONG@")
set(out "@PROJECT_BINARY_DIR@/out")
include("@PROJECT_SOURCE_DIR@/ci/cmake/DiscoverTests.cmake")
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${list}")
endfunction()
