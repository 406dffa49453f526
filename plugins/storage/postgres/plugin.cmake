include(${CMAKE_CURRENT_LIST_DIR}/../../shared/clients/postgres/postgres.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/migrations/migrations.cmake)
