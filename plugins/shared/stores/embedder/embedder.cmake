list(APPEND plugin_extra_sources ${CMAKE_CURRENT_LIST_DIR}/embedder.c ${CMAKE_CURRENT_LIST_DIR}/own_work.c)
