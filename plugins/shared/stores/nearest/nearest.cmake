# For the plugin.cmake of a plugin that reads vectors itself: the scan, and the best of it. A scan reads every vector, so
# its loops are optimised in every build.
file(GLOB nearest_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${nearest_sources})
set_source_files_properties(${nearest_sources} PROPERTIES COMPILE_OPTIONS -O3)
