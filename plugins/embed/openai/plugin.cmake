set(plugin_libraries m)
file(GLOB plugin_extra_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../../shared/clients/openai/*.c)
