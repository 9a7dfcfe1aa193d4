#include <cstdio>

#include <mtdn/core/arrays.hpp>
#include <mtdn/version.hpp>

int main() { std::printf("mtdn %s, with files\n", mtdn::version); }
