# Coverage-guided fuzzing with clang's libFuzzer, in the preset `fuzz` alone; ci/fuzz builds and runs all of it.
#
#   knetsim_fuzz(fuzz-line SOURCES ... DEPENDS ...)                 the sources define LLVMFuzzerTestOneInput
#   knetsim_fuzz(fuzz-kube-patch ROOM kube TARGET patch SOURCES ... DEPENDS ...)
#                                                                   one of the targets in the room's tests/fuzz/targets.h
add_custom_target(fuzz)

function(knetsim_fuzz name)
  if(NOT KNETSIM_SANITIZE MATCHES "fuzzer")
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 FUZZ "" "ROOM;TARGET" "SOURCES;DEPENDS")
  add_executable(${name} EXCLUDE_FROM_ALL ${FUZZ_SOURCES})
  if(FUZZ_ROOM)
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/src/sys/tests/libfuzzer.cpp")
    target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz")
    target_compile_definitions(${name} PRIVATE KNETSIM_FUZZ_ROOM=${FUZZ_ROOM} KNETSIM_FUZZ_TARGET="${FUZZ_TARGET}")
  endif()
  target_link_libraries(${name} PRIVATE ${FUZZ_DEPENDS} knetsim_settings)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz ${name})
endfunction()
