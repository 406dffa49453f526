include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
list(APPEND plugin_libraries m)
