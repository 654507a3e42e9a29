# What is needed, and the Debian package that has it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(np_need target module package)
  pkg_check_modules(${target} IMPORTED_TARGET GLOBAL "${module}")
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "netphase needs ${module}: install ${package}, or run tools/setup")
  endif()
endfunction()

np_need(SQLITE "sqlite3>=3.40" libsqlite3-dev)
np_need(CURL "libcurl>=7.88" libcurl4-openssl-dev)
np_need(UV "libuv>=1.44" libuv1-dev)
np_need(CARES "libcares>=1.18" libc-ares-dev)
np_need(OPENSSL "openssl>=3.0" libssl-dev)
if(BUILD_TESTING)
  np_need(CRITERION "criterion>=2.4" libcriterion-dev)
endif()
