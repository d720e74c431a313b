# SPDX-License-Identifier: GPL-2.0-only
# A managed language's day: objects made, linked, looked up, thrown away.
# Stands for SPECjbb: a warehouse that takes orders. The same work each time.
use strict;
use warnings;

my $rounds = shift;
my $seed = 1;
sub next_number { return $seed = ($seed * 69069 + 12345) % 4294967296 }

for my $round (1 .. $rounds) {
	my (%stock, @orders);
	for my $i (0 .. 99) {
		$stock{"item$i"} = { name => "item$i", left => 100, orders => [] };
	}
	for my $i (0 .. 199) {
		my $item = $stock{'item' . next_number() % 100};
		my $order = { id => $i, item => $item, lines => [map { "line $_" } 1 .. 4] };
		push @orders, $order;
		push @{$item->{orders}}, $i;
		$item->{left}--;
	}
	my $text = join ',', map { $_->{item}{name} . ':' . scalar @{$_->{lines}} }
		sort { $a->{item}{left} <=> $b->{item}{left} || $a->{id} <=> $b->{id} } @orders;
	die "round $round: wrong" unless length $text > 1000;
}
