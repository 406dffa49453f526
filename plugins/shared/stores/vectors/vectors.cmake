# What is asked of collections and points, for vector stores and for apps that write points. Wants words/words.cmake as well.
file(GLOB vectors_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(APPEND plugin_extra_sources ${vectors_sources})
