include(${CMAKE_CURRENT_LIST_DIR}/../../shared/postgres/postgres.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/migrations/migrations.cmake)
