set(plugin_libraries PkgConfig::SQLITE)
file(GLOB plugin_extra_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/sqlitedb/*.c)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/migrations/migrations.cmake)
