# For the plugin.cmake of what talks to PostgreSQL.
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
list(APPEND plugin_libraries PkgConfig::PQ)
file(GLOB postgres_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${postgres_sources})
