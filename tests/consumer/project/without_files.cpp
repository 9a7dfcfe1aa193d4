#include <cstdio>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/threads.hpp>
#include <mtdn/version.hpp>

int main() { std::printf("mtdn %s, without files\n", mtdn::version); }
