#!/bin/sh
# Run as root while an image is made: takes away what no service uses at run time.
#
#   slim.sh base              pip and its kin, which base images bring
#   slim.sh libraries VENV    what libraries bring beside what is imported
#   slim.sh symbols VENV      what debuggers read in them; needs strip, of binutils
set -eu

base() {
    for folder in /usr/local/lib/python3*/site-packages /usr/lib/python3/dist-packages /usr/lib/python3*/dist-packages; do
        for name in pip setuptools wheel pkg_resources _distutils_hack distutils-precedence.pth; do
            rm -rf "${folder:?}/$name" "$folder/$name"-*.dist-info "$folder/$name"-*.egg-info
        done
    done
    rm -rf /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip /usr/share/python-wheels
    rm -f /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/bin/idle* /usr/bin/pip*
}

libraries() {
    cd "$1"/lib/python3*/site-packages
    # Tests that come with libraries, and what C code is compiled against.
    find . -type d -name tests -prune -exec rm -rf {} +
    find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.h' -o -name '*.hpp' \
        -o -name '*.c' -o -name '*.cpp' -o -name '*.a' -o -name '*.tp' \) -delete
    if [ -d pyarrow ]; then
        # Flight is a protocol that nothing here speaks, and S3 is read by boto3. A wheel holds no links, so of three names
        # for one library, two are copies that the loader never asks for.
        rm -rf pyarrow/include pyarrow/src pyarrow/libarrow_flight.* pyarrow/libarrow_python_flight.* pyarrow/_flight.* \
            pyarrow/libarrow_s3.* pyarrow/_s3fs.* pyarrow/_substrait.*
        for copy in pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*.*; do rm -f "$copy"; done
    fi
    # What colours sources and draws tables in a terminal, and what uvicorn takes if it is there: reloading, and another
    # protocol.
    for name in pygments prettytable wcwidth watchfiles websockets; do rm -rf "$name" "$name"-*.dist-info; done
    if [ -d botocore/data ]; then
        # Descriptions of four hundred services: these are spoken with, or give credentials.
        for name in botocore/data/*/; do
            case $(basename "$name") in
                dynamodb | s3 | signin | sso | sso-oidc | sts) ;;
                *) rm -rf "$name" ;;
            esac
        done
    fi
}

symbols() {
    # Names that only a debugger reads. OpenBLAS as numpy and scipy bring it does not bear it: its segments move.
    find "$1"/lib -type f -name '*.so*' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
}

case ${1:-} in
    base) base ;;
    libraries) libraries "$2" ;;
    symbols) symbols "$2" ;;
    *) sed -n '2,6p' "$0"; exit 2 ;;
esac
