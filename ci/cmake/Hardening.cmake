# What Debian builds its network daemons with (hardening=+all), and the checks of the standard library: an overrun
# buffer, an index out of range or a bent return address ends the program instead of being used.
include(CheckCXXCompilerFlag)

target_compile_options(knetsim_settings INTERFACE -fstack-protector-strong -fPIE)
target_compile_definitions(knetsim_settings INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(knetsim_settings INTERFACE -pie -Wl,-z,relro,-z,now)

# The C library checks only what is optimized, and hides calls from the sanitizers that check more.
set(KNETSIM_FORTIFIED OFF)
if(CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT KNETSIM_SANITIZE)
  set(KNETSIM_FORTIFIED ON)
  target_compile_options(knetsim_settings INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# Debian 12's own start files lack the note, and one object without it takes it from the program: so it is asked for.
check_cxx_compiler_flag(-fcf-protection=full KNETSIM_HAS_CF_PROTECTION)
if(KNETSIM_HAS_CF_PROTECTION AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(knetsim_settings INTERFACE -fcf-protection=full)
  target_link_options(knetsim_settings INTERFACE -Wl,-z,ibt,-z,shstk)
endif()
