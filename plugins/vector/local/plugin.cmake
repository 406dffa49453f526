include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/nearest/nearest.cmake)
file(GLOB sqlitedb_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/sqlitedb/*.c)
list(APPEND plugin_extra_sources ${sqlitedb_sources})
