# For the plugin.cmake of a plugin that keeps data in SQLite.
file(GLOB sqlitedb_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${sqlitedb_sources})
list(APPEND plugin_libraries PkgConfig::SQLITE)
