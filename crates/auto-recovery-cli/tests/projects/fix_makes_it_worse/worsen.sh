rm -rf empty untracked link src/a.txt
ln -s /etc link
chmod 755 private
echo more >>private/binary
chmod +x src/b.txt
mkdir untracked src/a.txt
echo new >untracked/new
rm check.sh
printf 'exit 1\n' >check.sh
