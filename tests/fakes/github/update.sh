#!/bin/sh
# Asked by git about each ref that somebody pushes: refuses what the branch's protection does not let happen.
ref=$1 old=$2 new=$3
case " $STANDIN_PROTECTED " in
*" $ref:"*) ;;
*) exit 0 ;;
esac
refuse() {
    echo "error: GH006: Protected branch update failed for $ref." >&2
    echo "error: $1" >&2
    exit 1
}
case "$new" in
*[!0]*) ;;
*) refuse "Cannot delete this branch" ;;
esac
case " $STANDIN_PROTECTED " in
*" $ref:pull "*) refuse "Changes must be made through a pull request." ;;
esac
git merge-base --is-ancestor "$old" "$new" || refuse "Cannot force-push to this branch"
exit 0
