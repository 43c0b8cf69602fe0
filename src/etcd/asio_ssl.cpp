// The code of Boost.Asio's TLS, compiled apart: only etcd's client speaks it.
#include <boost/asio/ssl/impl/src.hpp>
