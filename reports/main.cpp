// The program knetsim-report.

#include <iostream>
#include <string>
#include <vector>

#include "knetsim/report/app.h"

int main(int argc, char** argv) { return knetsim::report::run({argv + 1, argv + argc}, std::cout, std::cerr); }
