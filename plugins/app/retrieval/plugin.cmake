include(${CMAKE_CURRENT_LIST_DIR}/../../shared/words/words.cmake)
