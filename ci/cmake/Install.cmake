# cmake --install: programs, libraries, headers, topologies, and a package for find_package(knetsim).
#
#   bin/                     knetsim, knetsim-agnhost, knetsim-apiserver, knetsim-controllers, knetsim-flanneld,
#                            knetsim-kube-proxy, knetsim-skrouterd, knetsim-report, suite-*
#   libexec/knetsim/cni/     the CNI plugin flannel
#   share/knetsim/           topologies, and their JSON schema for editors
#   lib/, include/           every layer but the command line's, fixtures
#   lib/cmake/knetsim/       knetsim::emulator, knetsim::fixtures, ..., and knetsim_suite()
#
# Programs find each other by these relative places, so that the prefix may be any, and be moved.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY KNETSIM_LAYERS)
list(TRANSFORM layers PREPEND knetsim_ OUTPUT_VARIABLE libraries)
list(APPEND libraries knetsim_boost knetsim_host_state knetsim_test_main knetsim_testing knetsim_fixtures)
set_target_properties(knetsim_boost PROPERTIES EXPORT_NAME boost)
set_target_properties(knetsim_host_state PROPERTIES EXPORT_NAME host_state)
set_target_properties(knetsim_test_main PROPERTIES EXPORT_NAME test_main)
set_target_properties(knetsim_testing PROPERTIES EXPORT_NAME testing)
set_target_properties(knetsim_fixtures PROPERTIES EXPORT_NAME fixtures)

get_property(suites GLOBAL PROPERTY KNETSIM_SUITES)
install(TARGETS knetsim knetsim-agnhost knetsim-apiserver knetsim-controllers knetsim-flanneld knetsim-kube-proxy
  knetsim-skrouterd knetsim-report ${suites}
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS cni-flannel RUNTIME DESTINATION libexec/knetsim/cni)
install(TARGETS ${libraries} EXPORT knetsim ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(layer IN LISTS layers)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/${layer}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/fixtures/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/fixtures/topologies" DESTINATION share/knetsim)
install(FILES "${PROJECT_SOURCE_DIR}/fixtures/topology.schema.json" DESTINATION share/knetsim)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/knetsim")
install(EXPORT knetsim NAMESPACE knetsim:: DESTINATION "${package}" FILE knetsimTargets.cmake)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/knetsimConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/knetsimConfig.cmake"
  INSTALL_DESTINATION "${package}" PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/knetsimConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/knetsimConfig.cmake" "${PROJECT_BINARY_DIR}/knetsimConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/DiscoverTests.cmake"
  DESTINATION "${package}")
