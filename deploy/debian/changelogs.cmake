# In the folder that is being installed to: the changelogs that Debian asks for, and compressed what it wants compressed.
# `version` and `contact` are the package's.
set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
set(documents ${root}/usr/share/doc/atcd)
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/../../CHANGELOG.md ${documents}/changelog)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${documents}/changelog.Debian
     "atcd (${version}) stable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${contact}  ${now}\n")
file(GLOB compressed ${root}/usr/share/man/*/atcd*[0-9] ${documents}/changelog ${documents}/changelog.Debian)
execute_process(COMMAND gzip -9nf ${compressed} COMMAND_ERROR_IS_FATAL ANY)
