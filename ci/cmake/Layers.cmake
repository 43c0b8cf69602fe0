# knetsim_layer(NAME [INTERNAL] [UNHURRIED] DEPENDS <target>... SOURCES <file>... [TESTS <file>...] [TEST_LABELS <label>...]
#               [LONG_TESTS <regex>])
#
# One layer of src/: library target knetsim_<name>, alias knetsim::<name>, with an include root of its own, so that
# including a layer that isn't named under DEPENDS doesn't compile. TESTS become the program unit-<name>.
# INTERNAL is one that nobody builds on, a program's: its headers lie beside its sources, and it isn't installed.
# UNHURRIED is one that runs once, or waits for people and programs: it is compiled with less optimization, a quarter sooner.
function(knetsim_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "INTERNAL;UNHURRIED" "LONG_TESTS" "DEPENDS;SOURCES;TESTS;TEST_LABELS")
  add_library(knetsim_${name} STATIC ${arg_SOURCES})
  add_library(knetsim::${name} ALIAS knetsim_${name})
  set_target_properties(knetsim_${name} PROPERTIES EXPORT_NAME ${name})
  if(arg_INTERNAL)
    target_include_directories(knetsim_${name} PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
  else()
    target_include_directories(knetsim_${name} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    set_property(GLOBAL APPEND PROPERTY KNETSIM_LAYERS ${name})
  endif()
  target_compile_features(knetsim_${name} PUBLIC cxx_std_20)
  target_link_libraries(knetsim_${name} PUBLIC ${arg_DEPENDS} PRIVATE $<BUILD_INTERFACE:knetsim_settings>)
  knetsim_precompile(knetsim_${name})
  # Of another level, g++ 13 and later refuse the precompiled header, which costs more than it gains.
  if(arg_UNHURRIED AND CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(knetsim_${name} PRIVATE -O1)
  endif()
  target_link_options(knetsim_${name} INTERFACE $<INSTALL_INTERFACE:${KNETSIM_INSTRUMENTATION}>)
  if(arg_TESTS)
    knetsim_suite(unit-${name} SOURCES ${arg_TESTS} DEPENDS knetsim_${name} LABELS unit ${arg_TEST_LABELS}
      LONG "${arg_LONG_TESTS}")
  endif()
endfunction()
