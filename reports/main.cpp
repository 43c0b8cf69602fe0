// The program knetsim-report.

#include <iostream>
#include <string>
#include <vector>

#include "app.h"
#include "knetsim/sys/standard_output.h"

int main(int argc, char** argv) {
  return knetsim::exit_code_after_output("knetsim-report",
                                         knetsim::report::run({argv + 1, argv + argc}, std::cout, std::cerr));
}
