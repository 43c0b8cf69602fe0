# knetsim_suite(PROGRAM SOURCES <file>... [DEPENDS <target>...] LABELS <label>... [TIMEOUT <seconds>])
#
# A GoogleTest program whose main enters the sandbox, registered test by test with CTest. The list is taken from the
# program when ctest starts (DiscoverTests.cmake says why gtest_discover_tests isn't used).
function(knetsim_suite program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPENDS;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${program} ${arg_SOURCES})
  target_link_libraries(${program} PRIVATE ${arg_DEPENDS} knetsim_test_main knetsim_settings)
  if(program MATCHES "^suite-")
    set_property(GLOBAL APPEND PROPERTY KNETSIM_SUITES ${program})
  endif()
  set(list "${CMAKE_CURRENT_BINARY_DIR}/${program}.ctest.cmake")
  file(CONFIGURE OUTPUT "${list}" @ONLY CONTENT [[
set(program "@PROJECT_BINARY_DIR@/bin/@program@")
set(labels "@arg_LABELS@")
set(timeout "@arg_TIMEOUT@")
set(out "@PROJECT_BINARY_DIR@/out")
include("@PROJECT_SOURCE_DIR@/ci/cmake/DiscoverTests.cmake")
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${list}")
endfunction()
