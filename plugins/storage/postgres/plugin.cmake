pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
set(plugin_libraries PkgConfig::PQ)
file(GLOB plugin_extra_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/postgres/*.c)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/migrations/migrations.cmake)
