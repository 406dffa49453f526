# The tree of a filter, for vector stores.
file(GLOB filters_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${filters_sources})
list(APPEND plugin_libraries m)
