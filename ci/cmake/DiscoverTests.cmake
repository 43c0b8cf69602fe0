# Run by ctest, once for each test program: asks it for its tests and registers each as <program>:<test>.
#
# CMake's gtest_discover_tests gives every test the property SKIP_REGULAR_EXPRESSION "[  SKIPPED ]", which can't be
# taken away afterwards: a test that fails, and whose output merely contains that text, is then "Skipped" and the run
# "100% passed". Here only the exit code says that a test was skipped (77, see fixtures/test_main.cpp).
#
# In: program (path), labels, timeout (seconds), storms (a pattern of those that run alone) and long (of those that only the
# night runs), each of which may be empty, out (artefacts).

cmake_path(GET program FILENAME name)
if(NOT EXISTS "${program}")
  add_test("${name}:not-built" "${program}")
  return()
endif()

execute_process(COMMAND "${program}" --gtest_list_tests
  OUTPUT_VARIABLE listing ERROR_VARIABLE complaint RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${name} --gtest_list_tests failed (${result}):\n${complaint}")
endif()

# Comments show parameters, whose brackets and semicolons would join or split the elements of a CMake list.
string(REGEX REPLACE " +#[^\n]*" "" listing "${listing}")
string(REPLACE "\n" ";" lines "${listing}")
set(count 0)
foreach(line IN LISTS lines)
  if(line MATCHES "^  (.+)$")
    set(test "${suite}${CMAKE_MATCH_1}")
    if(test MATCHES "(^|[./])DISABLED_")
      message(FATAL_ERROR "${name}: ${test} is disabled. Delete the test or mend it.")
    endif()
    set(test_labels ${labels})
    if(test MATCHES "/(real|mixed|mixed_reversed)(/|$)")
      list(APPEND test_labels real)
    endif()
    if(long AND test MATCHES "${long}")
      list(APPEND test_labels long)
    endif()
    string(REGEX REPLACE "[^A-Za-z0-9_.-]" "-" file "${name}.${test}")
    add_test("${name}:${test}" "${program}" "--gtest_filter=${test}" "--gtest_output=xml:${out}/xml/${file}.xml")
    set_tests_properties("${name}:${test}" PROPERTIES
      LABELS "${test_labels}" TIMEOUT "${timeout}" SKIP_RETURN_CODE 77
      ENVIRONMENT "KNETSIM_OUT=${out};KNETSIM_TEST_TIMEOUT=${timeout}")
    if(storms AND test MATCHES "${storms}")
      set_tests_properties("${name}:${test}" PROPERTIES RUN_SERIAL TRUE)
    endif()
    math(EXPR count "${count} + 1")
  elseif(line MATCHES "^[^ ].*\\.$")
    set(suite "${line}")
  endif()
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${name} has no tests: a program that checks nothing must not look green.")
endif()
