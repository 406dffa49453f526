# For the plugin.cmake of a vector store that searches words: the sources, and SQLite for its tokenizers.
file(GLOB words_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c ${CMAKE_CURRENT_LIST_DIR}/../terms/*.c)
list(APPEND plugin_extra_sources ${words_sources})
list(APPEND plugin_libraries PkgConfig::SQLITE m)
