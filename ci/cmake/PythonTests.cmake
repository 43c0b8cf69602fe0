# knetsim_python_tests(PREFIX FILE LABELS <label>... [TIMEOUT <seconds>])
#
# Registers each test method of a unittest file with CTest, as <prefix>:<name>.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

function(knetsim_python_tests prefix file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TIMEOUT" "LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  cmake_path(ABSOLUTE_PATH file NORMALIZE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" methods REGEX "^    def test_")
  foreach(method IN LISTS methods)
    string(REGEX REPLACE "^    def (test_[a-z0-9_]+).*$" "\\1" method "${method}")
    string(REGEX REPLACE "^test_" "" name "${method}")
    add_test(NAME "${prefix}:${name}"
      COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/ci/tests/run.py" "${file}" "${method}")
    set_tests_properties("${prefix}:${name}" PROPERTIES LABELS "${arg_LABELS}" TIMEOUT "${arg_TIMEOUT}"
      ENVIRONMENT "KNETSIM_CTEST=${CMAKE_CTEST_COMMAND};KNETSIM_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endfunction()
