# Coverage-guided fuzzing with clang's libFuzzer, in the preset `fuzz` alone; ci/fuzz builds and runs all of it.
#
#   knetsim_fuzz(fuzz-line SOURCES ... DEPENDS ... [DEFINITIONS ...])     the sources define LLVMFuzzerTestOneInput
add_custom_target(fuzz)

function(knetsim_fuzz name)
  if(NOT KNETSIM_SANITIZE MATCHES "fuzzer")
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 FUZZ "" "" "SOURCES;DEPENDS;DEFINITIONS")
  add_executable(${name} EXCLUDE_FROM_ALL ${FUZZ_SOURCES})
  target_link_libraries(${name} PRIVATE ${FUZZ_DEPENDS} knetsim_settings)
  target_compile_definitions(${name} PRIVATE ${FUZZ_DEFINITIONS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz ${name})
endfunction()
