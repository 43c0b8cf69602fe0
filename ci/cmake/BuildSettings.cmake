# How every target of this project is compiled: language level, warnings, sanitizers, coverage.

option(KNETSIM_COVERAGE "Instrument for lcov" OFF)
set(KNETSIM_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers carry time stamps: without the sloppiness, ccache never hits. The base directory lets one clone
  # profit from what another has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
      CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
endif()

# A newer compiler knows warnings that nobody has looked at here: they stop only who builds with the one that CI has.
set(warnings_are_errors OFF)
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
   OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15))
  set(warnings_are_errors ON)
endif()
option(KNETSIM_WERROR "Warnings are errors" ${warnings_are_errors})

add_library(knetsim_settings INTERFACE)
target_compile_options(knetsim_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual $<$<BOOL:${KNETSIM_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The preprocessor's state differs between a header compiled ahead and one read in place.
  target_compile_options(knetsim_settings INTERFACE -fpch-preprocess)
  if(CMAKE_UNITY_BUILD)
    # It takes unnamed namespaces of joined source files for ones of headers.
    target_compile_options(knetsim_settings INTERFACE -Wno-subobject-linkage)
  endif()
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC bug 105651, fixed in 13: "literal" + std::string is taken for overlapping memory.
    target_compile_options(knetsim_settings INTERFACE -Wno-restrict)
  endif()
endif()
# The compiler looks for garbage every few megabytes unless it is told that there is room: a tenth of its time. It takes a
# fifth more memory, 2 GB a process.
cmake_host_system_information(RESULT memory_in_mib QUERY TOTAL_PHYSICAL_MEMORY)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND memory_in_mib GREATER 8000)
  target_compile_options(knetsim_settings INTERFACE "SHELL:--param ggc-min-heapsize=1000000")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # CMake's -O3 compiles a quarter longer, for programs that are no faster.
  string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
  # Daemons run by the hundred: a program holds, and maps, only what it uses.
  target_compile_options(knetsim_settings INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(knetsim_settings INTERFACE -Wl,--gc-sections -Wl,--as-needed)
endif()
# Whoever links an instrumented library, installed ones too, needs the same runtime. Tests know by the definition that
# figures of memory say nothing.
set(KNETSIM_INSTRUMENTATION "")
if(KNETSIM_SANITIZE)
  list(APPEND KNETSIM_INSTRUMENTATION -fsanitize=${KNETSIM_SANITIZE})
endif()
if(KNETSIM_COVERAGE)
  list(APPEND KNETSIM_INSTRUMENTATION --coverage)
endif()
if(KNETSIM_INSTRUMENTATION)
  target_compile_options(knetsim_settings INTERFACE ${KNETSIM_INSTRUMENTATION})
  target_link_options(knetsim_settings INTERFACE ${KNETSIM_INSTRUMENTATION})
  target_compile_definitions(knetsim_settings INTERFACE KNETSIM_INSTRUMENTED)
endif()
if(KNETSIM_SANITIZE)
  # More optimization takes twice as long to compile what is instrumented, and hides frames.
  target_compile_options(knetsim_settings INTERFACE
    -O1 -g1 -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(KNETSIM_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC warns of fences that tsan doesn't model; Asio has one on a path that we don't take.
    target_compile_options(knetsim_settings INTERFACE -Wno-tsan)
  endif()
  if(KNETSIM_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 takes Asio's operator new and delete of a coroutine's frame for mismatched ones once asan is in between.
    # And bug 105562: <regex> looks uninitialized to it then.
    target_compile_options(knetsim_settings INTERFACE -Wno-mismatched-new-delete -Wno-maybe-uninitialized)
  endif()
  if(KNETSIM_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Before 17, clang can't place this check's data beside a coroutine ("difference across sections").
    target_compile_options(knetsim_settings INTERFACE -fno-sanitize=function)
  endif()
endif()
if(KNETSIM_COVERAGE)
  target_compile_options(knetsim_settings INTERFACE -O0)
endif()
include(Hardening)
