# Steps of a schema, for storages that speak SQL.
file(GLOB migrations_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${migrations_sources})
