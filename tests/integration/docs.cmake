# The pages: generated ones are what the plugins say now, links lead somewhere, every sample conf is good.
add_test(NAME integration.docs_pages COMMAND backplane docs --check ${CMAKE_SOURCE_DIR}/docs)
add_test(NAME integration.docs_links COMMAND python3 ${CMAKE_SOURCE_DIR}/scripts/check-docs.py
         WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
file(GLOB sample_confs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/conf/*.yaml)
foreach(conf IN LISTS sample_confs)
  get_filename_component(name ${conf} NAME_WE)
  add_test(NAME integration.conf_${name} COMMAND backplane check --offline -c ${conf})
endforeach()
