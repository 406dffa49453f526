# For the plugin.cmake of a plugin on Redis: the sources, and hiredis for its reader and formatter.
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET GLOBAL hiredis)
file(GLOB redis_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${redis_sources})
list(APPEND plugin_libraries PkgConfig::HIREDIS m)
