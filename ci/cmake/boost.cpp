// The one translation unit that holds the code of the Boost libraries that can be compiled apart.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/process/v2/src.hpp>
