# cpack in the build directory makes knetsim_VERSION_ARCH.deb: what cmake --install installs, a manual page, completions
# and the documents. What programs of the emulation and the README's commands are, apt brings with it.

set(pages "${PROJECT_BINARY_DIR}/pages")
foreach(shell IN ITEMS bash zsh fish)
  add_custom_command(OUTPUT "${pages}/knetsim.${shell}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${pages}"
    COMMAND knetsim completion ${shell} > "${pages}/knetsim.${shell}"
    DEPENDS knetsim VERBATIM)
endforeach()
add_custom_command(OUTPUT "${pages}/knetsim.1"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${pages}"
  COMMAND "${PROJECT_SOURCE_DIR}/ci/manual" "$<TARGET_FILE:knetsim>" > "${pages}/knetsim.1"
  DEPENDS knetsim "${PROJECT_SOURCE_DIR}/ci/manual" VERBATIM)
add_custom_target(knetsim_pages ALL
  DEPENDS "${pages}/knetsim.bash" "${pages}/knetsim.zsh" "${pages}/knetsim.fish" "${pages}/knetsim.1")

install(FILES "${pages}/knetsim.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES "${pages}/knetsim.bash" DESTINATION share/bash-completion/completions RENAME knetsim)
install(FILES "${pages}/knetsim.zsh" DESTINATION share/zsh/vendor-completions RENAME _knetsim)
install(FILES "${pages}/knetsim.fish" DESTINATION share/fish/vendor_completions.d)
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME knetsim)
set(CPACK_PACKAGE_CONTACT "the knetsim developers <knetsim@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)
# As in ci/setup: what the emulation runs, and what the README's commands run. The demo's container c4 is python3's web server.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "etcd-server, etcd-client, containernetworking-plugins, iptables, nftables, iproute2, iputils-ping, net-tools, procps, python3, wget, tcpdump")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "kubernetes-client | kubectl, iperf3")
# Suites of one's own: find_package(knetsim).
set(boost "${Boost_VERSION_MAJOR}.${Boost_VERSION_MINOR}")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
  "g++, cmake, libgtest-dev, libgmock-dev, libboost${boost}-dev, libboost-filesystem${boost}-dev, libfmt-dev, nlohmann-json3-dev, libnl-route-3-dev, libnftnl-dev, libmnl-dev")
include(CPack)
