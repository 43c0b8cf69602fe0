# cmake --install: the programs, the layers and fixtures as static libraries, and find_package(knetsim).
