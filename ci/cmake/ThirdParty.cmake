# The libraries that we build on, each behind one imported or interface target.
# Every one is a package of Debian 12, 13 and Ubuntu 24.04; ci/setup installs them.

# knetsim_library(NAME MINIMUM): find_package, of that version or any later one. What version files of libraries take for
# compatible differs: simdjson's wants the same minor version, fmt's the same major one.
macro(knetsim_library name minimum)
  find_package(${name} REQUIRED)
  if(${name}_VERSION VERSION_LESS "${minimum}")
    message(FATAL_ERROR "${name} ${${name}_VERSION} is too old: ${minimum} or later is needed (ci/setup installs what there is)")
  endif()
endmacro()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS filesystem)
find_package(OpenSSL 3 REQUIRED)
knetsim_library(fmt 9)
find_package(spdlog REQUIRED)
knetsim_library(nlohmann_json 3.11)
knetsim_library(CLI11 2.1)
knetsim_library(GTest 1.12)
find_package(benchmark REQUIRED)
knetsim_library(pugixml 1.13)
knetsim_library(simdjson 3)
knetsim_library(yaml-cpp 0.7)
find_package(ZLIB REQUIRED)
pkg_check_modules(LIBNL REQUIRED IMPORTED_TARGET libnl-3.0>=3.7 libnl-route-3.0>=3.7)
pkg_check_modules(LIBEDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(LIBNFTNL REQUIRED IMPORTED_TARGET libnftnl>=1.2 libmnl)

# Its .pc file in Debian 12 names an include directory that isn't there.
find_path(PROTON_INCLUDE_DIR proton/raw_connection.h REQUIRED)
find_library(PROTON_LIBRARY qpid-proton REQUIRED)
add_library(Proton::proton UNKNOWN IMPORTED)
set_target_properties(Proton::proton PROPERTIES
  IMPORTED_LOCATION "${PROTON_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${PROTON_INCLUDE_DIR}")

# Asio, Beast and Process are compiled once, here, and not in every file that uses them.
add_library(knetsim_boost STATIC "${CMAKE_CURRENT_LIST_DIR}/boost.cpp")
target_compile_definitions(knetsim_boost PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_BEAST_SEPARATE_COMPILATION BOOST_PROCESS_V2_SEPARATE_COMPILATION)
target_link_libraries(knetsim_boost PUBLIC Boost::headers Boost::filesystem Threads::Threads)
target_link_libraries(knetsim_boost PRIVATE $<BUILD_INTERFACE:knetsim_settings>)
# Boost's own headers don't compile under our warnings.
target_compile_options(knetsim_boost PRIVATE -w)
