// Another client than kubectl: Debian's python3-kubernetes.
#include "knetsim/sys/process.h"
#include "lab.h"

namespace knetsim::apiserver::test {
namespace {

class PythonClient : public ApiTest {};

TEST_F(PythonClient, DoesWhatProgramsDo) {
  serve();
  Command command;
  // Debian's own, for which its packages are.
  command.argv = {"/usr/bin/python3", KNETSIM_PYTHON_CLIENT, "http://127.0.0.1:8001"};
  const auto result = exec(command);
  EXPECT_EQ(result.out, "all of it\n") << result.err;
  EXPECT_TRUE(result.ok());
}

}  // namespace
}  // namespace knetsim::apiserver::test
