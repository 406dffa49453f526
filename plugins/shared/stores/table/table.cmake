# For the plugin.cmake of a plugin that keeps entries in the memory of the process.
file(GLOB table_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${table_sources})
